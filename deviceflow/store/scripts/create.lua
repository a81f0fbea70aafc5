-- Make a grant. A key that is there already is our own earlier success, or another grant's.
-- KEYS[1] grant; ARGV: expires (s), kept for (ms after expiry), request (JSON)
-- Returns 1 if the grant is there and is ours, 0 if the name is taken.
local grant = redis.call('HMGET', KEYS[1], 'expires', 'request')
if grant[1] then
  return (grant[1] == ARGV[1] and grant[2] == ARGV[3]) and 1 or 0
end
redis.call('HSET', KEYS[1], 'state', 'pending', 'expires', ARGV[1], 'request', ARGV[3])
redis.call('PEXPIREAT', KEYS[1], ARGV[1] * 1000 + ARGV[2])
return 1
