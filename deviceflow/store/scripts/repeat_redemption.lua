-- Read what a repetition of a redemption needs, if it can still be repeated.
-- KEYS[1] the record of the redemption; ARGV[1] how many replicas must have it
-- Returns the record, or nothing
local record = redis.call('GET', KEYS[1])
if record and ARGV[1] ~= '0' then
  -- Written again, so that a WAIT after this one waits for the redemption (see transition.lua).
  redis.call('SET', KEYS[1], record, 'KEEPTTL')
end
return record
