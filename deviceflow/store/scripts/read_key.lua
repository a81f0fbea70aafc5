-- One key, whole, in one step: a string, a hash or a sorted set.
-- KEYS[1] the key
-- Returns {type, ms to live or a negative number, value}; the value is a string or a flat list
local kind = redis.call('TYPE', KEYS[1]).ok
local read = { string = 'GET', hash = 'HGETALL' }
local value = ''
if read[kind] then
  value = redis.call(read[kind], KEYS[1])
elseif kind == 'zset' then
  value = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
end
return { kind, redis.call('PTTL', KEYS[1]), value }
