-- Count a change of one client, and note which client it was.
-- KEYS[1] the revision, KEYS[2] sorted set of changed clients by revision; ARGV[1] client id,
-- ARGV[2] how many changes are kept, ARGV[3] for how long (s)
-- Returns the revision
local revision = redis.call('INCR', KEYS[1])
-- The revision makes a member its own: a client may change twice.
redis.call('ZADD', KEYS[2], revision, revision .. ' ' .. ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', revision - ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return revision
