-- Replace the secrets of an installation, unless another command was faster.
-- KEYS[1] hash; ARGV[1] number of arguments that follow with the fields and values as they were
-- read, then those; the rest are the new fields and values. Returns 1 if they are stored.
local count = tonumber(ARGV[1])
local last = 1 + count

local function holds(from, to)
  for i = from, to, 2 do
    if redis.call('HGET', KEYS[1], ARGV[i]) ~= ARGV[i + 1] then
      return false
    end
  end
  return #redis.call('HGETALL', KEYS[1]) == to - from + 1
end

if holds(last + 1, #ARGV) then
  -- The caller's own success, whose answer was lost.
  return 1
end
if not holds(2, last) then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], unpack(ARGV, last + 1))
return 1
