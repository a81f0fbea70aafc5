-- Set a key to a mark, unless it is set already. (SET with NX and GET at once needs Redis 7.0.)
-- KEYS[1] the key; ARGV[1] the mark, ARGV[2..] when it ends, as SET takes it
-- Returns 1 if the key holds the mark now, 0 if it holds another one
local before = redis.call('GET', KEYS[1])
if before then
  return before == ARGV[1] and 1 or 0
end
redis.call('SET', KEYS[1], unpack(ARGV))
return 1
