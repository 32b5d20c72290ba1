-- Shows the tickets of a lane; writes nothing.
-- KEYS: active, meta prefix, workers, names, inflight prefix
-- ARGV: how many ids to show at most of those that wait, and of those that each worker holds
-- Returns: seconds of Redis' clock, how many wait, then three values for each ticket: its id, the second it was announced
-- (0: unknown), 1 when a worker holds it
local most = tonumber(ARGV[1])
local found = { tonumber(redis.call('TIME')[1]), redis.call('LLEN', KEYS[1]) }

local function show(id, held)
  found[#found + 1] = id
  found[#found + 1] = tonumber(redis.call('HGET', KEYS[2] .. ':' .. id, 'at') or 0) or 0
  found[#found + 1] = held
end

for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, most - 1)) do show(id, 0) end

local seen = {}
for k = 3, 4 do
  for _, name in ipairs(redis.call('ZRANGE', KEYS[k], 0, most - 1)) do
    if not seen[name] then
      seen[name] = true
      for _, id in ipairs(redis.call('SRANDMEMBER', KEYS[5] .. ':' .. name, most)) do show(id, 1) end
    end
  end
end
return found
