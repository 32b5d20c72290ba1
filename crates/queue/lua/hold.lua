-- Nobody calls before this time has passed; a longer hold stands.
-- KEYS: hold
-- ARGV: ms
local clock = redis.call('TIME')
local till = clock[1] * 1000 + math.floor(clock[2] / 1000) + tonumber(ARGV[1])
if (tonumber(redis.call('GET', KEYS[1])) or 0) < till then
  redis.call('SET', KEYS[1], string.format('%.0f', till), 'PX', tonumber(ARGV[1]))
end
return 1
