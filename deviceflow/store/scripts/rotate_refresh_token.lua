-- Use a refresh token: its successor becomes one of those that may come next.
-- A successor is confirmed by its first use. Until then the old token stays good, and so do all
-- its other successors: the device is not stranded, whichever answer reached it, and however
-- late its other requests arrive here.
-- The device has this token, so the answer to its redemption has arrived: no repetition any more.
-- KEYS[1] family, KEYS[2] what a repetition of the redemption needs, KEYS[3] whose access token
-- lives; ARGV: presented (hash), successor (hash), thumbprint of the key that the successor is bound
-- to or '', idle until (ms), how many successors are kept, when it is used (s), when the device was
-- listed anew (s) or 0 if it was not, when the access token ends (ms) or 0 if the family outlives
-- it, whose token it is
-- Returns 1; 0 if the family has ended, or went on while this request was on its way.
local presented, successor, jkt = ARGV[1], ARGV[2], ARGV[3]
local family = redis.call('HMGET', KEYS[1], 'current', 'next')
local current, successors = family[1], family[2] or ''
if not current then
  return 0
end
if presented ~= current then
  local _, _, bound = string.find(' ' .. successors .. ' ', ' ' .. presented .. ':?([%w_-]*) ')
  if not bound then
    return 0
  end
  redis.call('HSET', KEYS[1], 'current', presented)
  if bound ~= '' then
    redis.call('HSET', KEYS[1], 'jkt', bound)
  end
  successors = ''
end
if not string.find(successors, successor, 1, true) then
  local entry = jkt == '' and successor or successor .. ':' .. jkt
  local _, others = string.gsub(successors, '%S+', '')
  if others >= tonumber(ARGV[5]) then
    successors = string.gsub(successors, ' %S+$', '')
  end
  successors = successors == '' and entry or entry .. ' ' .. successors
end
-- Written even where nothing changes: a WAIT after this one waits for it (see transition.lua).
redis.call('HSET', KEYS[1], 'next', successors, 'used', ARGV[6])
if ARGV[7] ~= '0' then
  redis.call('HSET', KEYS[1], 'listed', ARGV[7])
end
if ARGV[8] ~= '0' then
  redis.call('SET', KEYS[3], ARGV[9], 'PXAT', ARGV[8])
end
redis.call('PEXPIREAT', KEYS[1], ARGV[4])
redis.call('DEL', KEYS[2])
return 1
