-- Change a field of a hash, if it is still as it was when it was read.
-- KEYS[1] the hash; ARGV[1] the field; ARGV[2] the value that was read and ARGV[3] the one that it
-- becomes, each empty for none
-- Returns changed, stale
local value = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if value == ARGV[3] then
  -- The caller's own success, whose answer was lost; or there is nothing to change.
  return 'changed'
end
if value ~= ARGV[2] then
  return 'stale'
end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
return 'changed'
