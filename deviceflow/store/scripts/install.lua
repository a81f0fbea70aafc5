-- The first start decides the secrets of this installation; every later one reads them.
-- KEYS[1] hash; ARGV: fields and values to set where there are none. Returns the whole hash.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], unpack(ARGV))
end
return redis.call('HGETALL', KEYS[1])
