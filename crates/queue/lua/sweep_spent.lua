-- Drops a slice of the tickets that were handled, with what apalis keeps about them for ever.
-- KEYS: data, meta prefix, done, dead     ARGV: slice
-- Returns: how many
local n = 0
for k = 3, 4 do
  for _, id in ipairs(redis.call('SPOP', KEYS[k], ARGV[1])) do
    redis.call('HDEL', KEYS[1], id)
    redis.call('DEL', KEYS[2] .. ':' .. id)
    n = n + 1
  end
end
return n
