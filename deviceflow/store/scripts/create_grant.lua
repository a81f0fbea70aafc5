-- Make a grant. A key that exists is the caller's own earlier success, or another grant's.
-- KEYS[1] grant; ARGV: expires (s), kept for (ms after expiry), then fields and values
-- Returns 1 if the key holds the caller's grant, 0 if it holds another one.
if redis.call('EXISTS', KEYS[1]) == 1 then
  for i = 3, #ARGV, 2 do
    if redis.call('HGET', KEYS[1], ARGV[i]) ~= ARGV[i + 1] then
      return 0
    end
  end
  return redis.call('HGET', KEYS[1], 'expires') == ARGV[1] and 1 or 0
end
redis.call('HSET', KEYS[1], 'state', 'pending', 'expires', ARGV[1], unpack(ARGV, 3))
redis.call('PEXPIREAT', KEYS[1], ARGV[1] * 1000 + ARGV[2])
return 1
