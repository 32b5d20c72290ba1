-- Drops tickets that are remembered but lie nowhere: their id would block the same announcement for ever.
-- KEYS: data, active, meta prefix, done, dead, scheduled, workers, inflight prefix
-- ARGV: cursor, slice, age in seconds below which a ticket is left alone
-- Returns: next cursor, how many
local now = tonumber(redis.call('TIME')[1])
local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local n = 0

local function held(id)
  for _, name in ipairs(redis.call('ZRANGE', KEYS[7], 0, -1)) do
    if redis.call('SISMEMBER', KEYS[8] .. ':' .. name, id) == 1 then return true end
  end
  return false
end

for i = 1, #page[2], 2 do
  local id = page[2][i]
  local at = tonumber(redis.call('HGET', KEYS[3] .. ':' .. id, 'at') or 0) or 0
  if at <= now - tonumber(ARGV[3])
    and redis.call('SISMEMBER', KEYS[4], id) == 0
    and redis.call('SISMEMBER', KEYS[5], id) == 0
    and not redis.call('ZSCORE', KEYS[6], id)
    and not redis.call('LPOS', KEYS[2], id)
    and not held(id)
  then
    redis.call('HDEL', KEYS[1], id)
    redis.call('DEL', KEYS[3] .. ':' .. id)
    n = n + 1
  end
end
return { page[1], n }
