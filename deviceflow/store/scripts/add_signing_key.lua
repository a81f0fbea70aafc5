-- Add a signing key, unless there is one of its algorithm: the first of several starts wins.
-- KEYS[1] hash of key id -> JWK; ARGV[1] the algorithm as a JWK says it, ARGV[2] key id, ARGV[3] JWK
for _, jwk in ipairs(redis.call('HVALS', KEYS[1])) do
  if string.find(jwk, ARGV[1], 1, true) then
    return 0
  end
end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
return 1
