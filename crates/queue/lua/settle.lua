-- Says what came of a call that was asked for: what it really took, what the provider's headers say, how it ended.
-- KEYS: state (hash), seen (list of the last ends)
-- ARGV: input and output tokens as asked for, as charged; the configured minute's requests, input and output tokens
--       (0: none); the provider's limits of the three (0: not said); what it says is left of them (-1: not said);
--       the end (0 answered, 1 failed, -1 says nothing of the provider); failures in a row that are too many,
--       how many ends are looked at, and for how many ms; requests that are given back;
--       for tokens that were a guess how many ms ago the call's place was, else -1
-- Returns: 1 when too many failed, else 0
local state, seen = KEYS[1], KEYS[2]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
-- One wrong figure of a reply, or a clock that has jumped back, holds the fleet for ten minutes at most.
local far = now + 600000
local names = { 'r', 'i', 'o' }
local off = { -ARGV[18], ARGV[3] - ARGV[1], ARGV[4] - ARGV[2] }
-- What a guess took too much of lay right behind its place. Where others stand behind it that time is lost: given to later
-- calls, what a whole crowd guessed too much would come together in one window.
local ago, last = tonumber(ARGV[19]), tonumber(redis.call('HGET', state, 'last')) or 0
if ago >= 0 and last > now - ago + 250 and last <= far then
  for d = 2, 3 do off[d] = math.max(off[d], 0) end
end
for d = 1, 3 do
  local said, left = tonumber(ARGV[7 + d]), tonumber(ARGV[10 + d])
  if said > 0 then redis.call('HSET', state, 'l' .. names[d], said) end
  local limit, known = tonumber(ARGV[4 + d]), tonumber(redis.call('HGET', state, 'l' .. names[d])) or 0
  if limit == 0 or (known > 0 and known < limit) then limit = known end
  if limit > 0 then
    local rate = limit * 0.92 / 60000
    local full = tonumber(redis.call('HGET', state, names[d])) or now
    if full > far then full = now end
    full = full + off[d] / rate
    -- Others use the key as well: what they took is waited for.
    if said > 0 and left >= 0 and left < said * 0.1 then
      full = math.max(full, now + (said * 0.1 - left) / rate)
    end
    redis.call('HSET', state, names[d], string.format('%.3f', math.min(full, far)))
  end
end
redis.call('PEXPIRE', state, 600000)

local ended = tonumber(ARGV[14])
if ago >= 0 and ended == 0 and tonumber(ARGV[1]) > 0 and tonumber(ARGV[2]) > 0 then
  redis.call('HSET', state, 'gi', ARGV[3] / ARGV[1], 'go', ARGV[4] / ARGV[2])
end
if ended < 0 then return 0 end
local in_a_row, among, window = tonumber(ARGV[15]), tonumber(ARGV[16]), tonumber(ARGV[17])
redis.call('LPUSH', seen, (ended == 1 and '1:' or '0:') .. string.format('%.0f', now))
redis.call('LTRIM', seen, 0, math.max(among, in_a_row) - 1)
redis.call('PEXPIRE', seen, 600000)
if ended == 0 then return 0 end
local row, is_row, recent, failed = 0, true, 0, 0
for n, entry in ipairs(redis.call('LRANGE', seen, 0, -1)) do
  local is_failure = string.sub(entry, 1, 1) == '1'
  is_row = is_row and is_failure
  if is_row then row = row + 1 end
  if n <= among and now - tonumber(string.sub(entry, 3)) <= window then
    recent = recent + 1
    if is_failure then failed = failed + 1 end
  end
end
if row >= in_a_row or (recent >= among and failed * 2 >= among) then
  redis.call('DEL', seen)
  return 1
end
return 0
