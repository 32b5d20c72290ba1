-- Drops what apalis keeps for ever about worker names that nobody beats for any more.
-- KEYS: data, active, workers, names, inflight prefix, worker metadata prefix
-- ARGV: slice, age in seconds below which a name is left alone (it may not have registered yet)
-- Returns: how many
local now = tonumber(redis.call('TIME')[1])
local n = 0
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now - tonumber(ARGV[2]), 'LIMIT', 0, ARGV[1])) do
  if redis.call('ZSCORE', KEYS[3], name) then
    redis.call('ZADD', KEYS[4], now, name) -- lives, or a living neighbour will take its tickets over; look again later
  else
    local held = KEYS[5] .. ':' .. name
    for _, id in ipairs(redis.call('SMEMBERS', held)) do
      if redis.call('HEXISTS', KEYS[1], id) == 1 then redis.call('RPUSH', KEYS[2], id) end
    end
    redis.call('DEL', held, KEYS[6] .. ':' .. name)
    redis.call('ZREM', KEYS[4], name)
    n = n + 1
  end
end
return n
