-- End what an account has until now, by marks that only grow.
-- KEYS[1] hash of marks (ms); ARGV[1] how many fields get a new mark, ARGV[2..] these fields, and
-- then the fields to return
-- Returns the marks of the latter
local time = redis.call('TIME')
local now = math.floor(time[1] * 1000 + time[2] / 1000)
local marked = tonumber(ARGV[1])
for index = 2, 1 + marked do
  -- Two marks in one millisecond, or a clock that was set back: each is higher than the last.
  local before = tonumber(redis.call('HGET', KEYS[1], ARGV[index]) or '0')
  redis.call('HSET', KEYS[1], ARGV[index], string.format('%d', math.max(now, before + 1)))
end
return redis.call('HMGET', KEYS[1], unpack(ARGV, 2 + marked))
