-- Add a signing key, unless one of its algorithm signs: the first of several starts wins.
-- KEYS[1] hash of key id -> record; ARGV[1] the algorithm as a record says it, ARGV[2] key id,
-- ARGV[3] record, ARGV[4..] ids of keys that do not sign: superseded, or not to be read
-- Returns 1 if it was added.
if redis.call('HGET', KEYS[1], ARGV[2]) == ARGV[3] then
  -- The caller's own success, whose answer was lost.
  return 1
end
local useless = {}
for i = 4, #ARGV do
  useless[ARGV[i]] = true
end
local stored = redis.call('HGETALL', KEYS[1])
for i = 1, #stored, 2 do
  if not useless[stored[i]] and string.find(stored[i + 1], ARGV[1], 1, true) then
    return 0
  end
end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
return 1
