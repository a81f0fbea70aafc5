-- Change a client, if it is still as it was when it was read.
-- KEYS[1] hash of client id -> record; ARGV[1] client id; ARGV[2] the record that was read and
-- ARGV[3] the one that it becomes, each empty for none
-- Returns changed, stale
local record = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if record == ARGV[3] then
  -- The caller's own success, whose answer was lost; or there is nothing to change.
  return 'changed'
end
if record ~= ARGV[2] then
  return 'stale'
end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
return 'changed'
