-- Asks for a call: whether it may be made, and when. Two calls that ask at once get places one after the other.
-- KEYS: state (hash), hold (the millisecond before which nobody calls)
-- ARGV: input tokens, output tokens, a minute's requests, input and output tokens (0: as the provider said),
--       whether it repeats a failed call, the longest wait in ms, percent and least number of repeats a minute,
--       whether the tokens are a guess that no reply has confirmed
-- Returns: 0, the wait before the call, the tokens that its place has, and whether they are a guess; or 1 (held), 2 (the rate is used up), 3 (too many repeats) and the wait
--          before asking again
local state, hold = KEYS[1], KEYS[2]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local held = tonumber(redis.call('GET', hold)) or 0
-- No hold is longer than an hour: what lies further ahead was written by a clock that has jumped back since.
if held > now and held <= now + 3660000 then return { 1, math.ceil(held - now) } end

local f = redis.call('HMGET', state, 'r', 'i', 'o', 'lr', 'li', 'lo', 'parked', 'minute', 'calls', 'repeats', 'before', 'last', 'gi', 'go')
local minute = math.floor(now / 60000)
local calls, repeats, before = tonumber(f[9]) or 0, tonumber(f[10]) or 0, tonumber(f[11]) or 0
local of = tonumber(f[8]) or 0
if of ~= minute then
  before = of == minute - 1 and calls or 0
  calls, repeats = 0, 0
end
-- None of these lies further ahead than is ever written: what does was written by a clock that has jumped back since.
local far = now + 600000
local full = {}
for d = 1, 3 do
  full[d] = tonumber(f[d]) or 0
  if full[d] > far then full[d] = 0 end
end
local is_repeat = ARGV[6] == '1'
if is_repeat and repeats >= math.max(tonumber(ARGV[9]), (calls + before) * tonumber(ARGV[8]) / 100) then
  return { 3, 60000 - now % 60000 }
end

-- Each of the three is a bucket that knows only when it is empty again (a virtual time). A little below the limit and
-- with a quarter of a second of burst, so that no window of ten seconds holds more than it should.
local costs, is_guess = { 1, tonumber(ARGV[1]), tonumber(ARGV[2]) }, ARGV[10] == '1'
-- What was charged for the guess of another worker is known to all.
if is_guess and f[13] and f[14] then
  costs[2], costs[3], is_guess = math.ceil(costs[2] * f[13]), math.ceil(costs[3] * f[14]), false
end
local most = tonumber(ARGV[7])
local rates, start = {}, now
for d = 1, 3 do
  local limit, said = tonumber(ARGV[2 + d]), tonumber(f[3 + d]) or 0
  if limit == 0 or (said > 0 and said < limit) then limit = said end
  if limit > 0 then
    rates[d] = limit * 0.92 / 60000
    start = math.max(start, full[d] - 250)
    -- Never before a place that was given: what calls give back, since they took less than they asked for, would be used
    -- up by a crowd between those that still wait for theirs.
    start = math.max(start, math.min(tonumber(f[12]) or 0, now + most))
  end
end
if start - now > most then
  -- Those who are sent away come back one after the other, a little faster than there is room, so that some always wait.
  -- One whom nobody is before comes back at its place.
  local step = 0
  for d = 1, 3 do
    if rates[d] then step = math.max(step, costs[d] / rates[d]) end
  end
  -- A guess makes no line: a crowd that all guess too much would come back over minutes to a rate that is hardly used.
  -- They come back soon instead, when the first replies have told what calls take.
  if is_guess and step > (rates[1] and 1 / rates[1] or 0) then
    return { 2, math.ceil(start - now + 5000 * (clock[2] * 7919 % 1000) / 1000) }
  end
  local parked = tonumber(f[7]) or 0
  parked = parked <= now and start or math.max(parked, now + most) + step * 0.8
  parked = math.min(parked, far)
  redis.call('HSET', state, 'parked', string.format('%.3f', parked))
  redis.call('PEXPIRE', state, 600000)
  -- Nobody is sent away for much longer than a minute that others may give their places back in: what lies beyond is
  -- spread over as long as the queue is, and over a minute at least. The clock's microseconds serve as chance.
  local wait = parked - now
  if wait > 60000 and parked > start then
    wait = 60000 + math.max(wait - 60000, 60000) * (clock[2] * 7919 % 1000) / 1000
  end
  return { 2, math.ceil(wait) }
end
local names = { 'r', 'i', 'o' }
for d = 1, 3 do
  if rates[d] then
    local till = math.min(math.max(full[d], start) + costs[d] / rates[d], far)
    redis.call('HSET', state, names[d], string.format('%.3f', till))
  end
end
redis.call('HSET', state, 'last', string.format('%.3f', start), 'minute', minute, 'before', before, 'calls', calls + 1, 'repeats', repeats + (is_repeat and 1 or 0))
redis.call('PEXPIRE', state, 600000)
return { 0, math.ceil(start - now), costs[2], costs[3], is_guess and 1 or 0 }
