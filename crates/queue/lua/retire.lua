-- Before a worker begins, and when it ends: takes back what the worker before it held, and removes from the
-- lane whatever would kill the next one.
-- KEYS: data, active, meta prefix, scheduled, workers, names, inflight prefix, worker metadata prefix
-- ARGV: name of the worker that ended ('' for none), name of the one that begins ('' for none),
--       how many ids to look at, the offset to begin at in the active list
-- Returns: tickets put back, ids dropped, 1 when there is more to look at
local data, active, meta, scheduled, workers, names = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local old, new, most, from = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local now = redis.call('TIME')[1]
local back, dropped, more = 0, 0, 0

local known = { Pending = true, Queued = true, Running = true, Done = true, Failed = true, Killed = true }

-- apalis' fetch takes the id off the list first and fails on any of these afterwards.
local function sound(id)
  if not string.match(id, '^[%w%-:_%.]+$') then return false end
  if redis.call('HEXISTS', data, id) == 0 then return false end
  local m = redis.call('HMGET', meta .. ':' .. id, 'attempts', 'max_attempts', 'status')
  for k = 1, 2 do
    if not m[k] or not string.match(m[k], '^%d+$') or #m[k] > 9 then return false end
  end
  return m[3] and known[m[3]] or false
end

local function drop(id)
  redis.call('HDEL', data, id)
  redis.call('DEL', meta .. ':' .. id)
  dropped = dropped + 1
end

if old ~= '' then
  local held = KEYS[7] .. ':' .. old
  for _, id in ipairs(redis.call('SMEMBERS', held)) do
    if sound(id) then
      redis.call('HSET', meta .. ':' .. id, 'status', 'Pending')
      redis.call('LPUSH', active, id)
      back = back + 1
    else
      drop(id)
    end
  end
  redis.call('DEL', held, KEYS[8] .. ':' .. old)
  redis.call('ZREM', workers, old)
  redis.call('ZREM', names, old)
end

-- A due backlog of 8,000 here makes every fetch fail; nothing of ours is ever written here.
local due = redis.call('ZRANGE', scheduled, 0, most - 1)
for _, id in ipairs(due) do
  redis.call('ZREM', scheduled, id)
  if sound(id) then redis.call('RPUSH', active, id); back = back + 1 else drop(id) end
end
if #due == most then more = 1 end

for _, id in ipairs(redis.call('LRANGE', active, from, from + most - 1)) do
  if not sound(id) then
    redis.call('LREM', active, 0, id)
    drop(id)
  end
end

if new ~= '' then redis.call('ZADD', names, now, new) end
return { back, dropped, more }
