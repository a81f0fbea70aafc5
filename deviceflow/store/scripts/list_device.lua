-- List a device of a person, or let it be listed for longer. What the person has called it stays.
-- KEYS[1] records by name, KEYS[2] names by approval, KEYS[3] names by end
-- ARGV[1] name, ARGV[2] record, ARGV[3] approved (ms), ARGV[4] listed until (ms), ARGV[5] how many
-- devices that have ended leave the list at once
-- The lists hold those that have not ended, and few others: each addition removes some.
local clock = redis.call('TIME')
local now = clock[1] * 1000
local ended = redis.call('ZRANGE', KEYS[3], '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[5])
for _, name in ipairs(ended) do
  redis.call('HDEL', KEYS[1], name)
  redis.call('ZREM', KEYS[2], name)
  redis.call('ZREM', KEYS[3], name)
end
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
end
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[1])
local last = redis.call('ZRANGE', KEYS[3], -1, -1, 'WITHSCORES')
local until_ms = string.format('%d', last[2])
redis.call('PEXPIREAT', KEYS[1], until_ms)
redis.call('PEXPIREAT', KEYS[2], until_ms)
redis.call('PEXPIREAT', KEYS[3], until_ms)
return 1
