-- Nobody calls before this time has passed; a longer hold stands.
-- KEYS: hold
-- ARGV: ms
local clock = redis.call('TIME')
local till = clock[1] * 1000 + math.floor(clock[2] / 1000) + tonumber(ARGV[1])
local held = tonumber(redis.call('GET', KEYS[1])) or 0
-- What lies further ahead than a hold can be was written by a clock that has jumped back since.
if held < till or held > till - tonumber(ARGV[1]) + 3660000 then
  redis.call('SET', KEYS[1], string.format('%.0f', till), 'PX', tonumber(ARGV[1]))
end
return 1
