-- Puts tickets at the end of a lane, or at its head, straight into the list that workers fetch from.
-- KEYS: data, active, meta prefix, done, dead
-- ARGV: feed cap, wake channel, wake message, RPUSH or LPUSH, then ticket ids (an id is its own payload)
-- Returns: announced, already there, over the cap
local data, active, meta, done, dead = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
-- What goes first was waited for already: it finds room in a full lane as well, half as much again.
local cap = tonumber(ARGV[1])
if ARGV[4] == 'LPUSH' then cap = cap + math.floor(cap / 2) end
local room = cap - redis.call('LLEN', active)
local now = redis.call('TIME')[1]
local sent, there, over = 0, 0, 0

for i = 5, #ARGV do
  local id = ARGV[i]
  if room <= 0 and not (ARGV[4] == 'LPUSH' and redis.call('HEXISTS', data, id) == 1) then
    over = over + 1
  else
    local fresh = redis.call('HSETNX', data, id, id) == 1
    -- A ticket that was spent does not stand in the way of the same ticket: the row may still be waiting.
    if not fresh and (redis.call('SREM', done, id) == 1 or redis.call('SREM', dead, id) == 1) then
      redis.call('HSET', data, id, id)
      fresh = true
    end
    if fresh then
      local fields = meta .. ':' .. id
      redis.call('DEL', fields)
      redis.call('HSET', fields, 'attempts', 0, 'max_attempts', 1, 'status', 'Pending', 'at', now)
      redis.call(ARGV[4], active, id)
      sent, room = sent + 1, room - 1
    else
      -- What is to go first and waits already moves to the head.
      if ARGV[4] == 'LPUSH' and redis.call('LREM', active, 1, id) == 1 then redis.call('LPUSH', active, id) end
      there = there + 1
    end
  end
end

-- Whoever adds also sweeps, twice as much as was added: spent tickets stay few without waiting for the janitor.
local share = 2 * (#ARGV - 4)
for _, spent in ipairs({ done, dead }) do
  for _, id in ipairs(redis.call('SPOP', spent, share)) do
    redis.call('HDEL', data, id)
    redis.call('DEL', meta .. ':' .. id)
  end
end

if sent > 0 then redis.call('PUBLISH', ARGV[2], ARGV[3]) end
return { sent, there, over }
