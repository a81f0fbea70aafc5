-- Use a refresh token: its successor becomes the family's next token.
-- A successor is confirmed by its first use; until then the old token stays good, so that a
-- device whose answer was lost is not stranded. A token of the family that is neither the
-- current nor the next one was used before: the family ends (RFC 9700 4.14.2).
-- KEYS[1] family; ARGV: request id, presented (hash), successor (hash), idle until (ms),
-- client_id
-- Returns rotated, replayed, missing, foreign
local family = redis.call('HMGET', KEYS[1], 'current', 'next', 'rotate', 'expires', 'client')
local current, successor = family[1], family[2]
if not current then
  return 'missing'
end
if family[5] ~= ARGV[5] then
  return 'foreign'
end
if family[3] == ARGV[1] then
  -- Our own success, written again for the WAIT that follows (see transition.lua).
  redis.call('HSET', KEYS[1], 'rotate', ARGV[1])
  return 'rotated'
end
if ARGV[2] == successor then
  redis.call('HSET', KEYS[1], 'current', successor)
elseif ARGV[2] ~= current then
  redis.call('DEL', KEYS[1])
  return 'replayed'
end
redis.call('HSET', KEYS[1], 'next', ARGV[3], 'rotate', ARGV[1])
redis.call('PEXPIREAT', KEYS[1], math.min(tonumber(family[4]) * 1000, tonumber(ARGV[4])))
return 'rotated'
