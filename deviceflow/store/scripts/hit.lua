-- Count one more try in a window that starts with the first.
-- KEYS[1] counter; ARGV[1] window (ms). Returns {tries, ms until the window ends}
local tries = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  left = tonumber(ARGV[1])
end
return { tries, left }
