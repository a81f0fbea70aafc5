-- What a device has: its grant, its family of refresh tokens, its access token without a family.
-- KEYS[1] grant, KEYS[2] family, KEYS[3] whose access token lives
-- Returns {state, expires (s), account, approved (ms), family (JSON), used (s), whose token, ms}
local grant = redis.call('HMGET', KEYS[1], 'state', 'expires', 'account', 'approved')
local family = redis.call('HMGET', KEYS[2], 'family', 'used')
local living, ms = redis.call('GET', KEYS[3]), redis.call('PTTL', KEYS[3])
return {
  grant[1] or '', grant[2] or '', grant[3] or '', grant[4] or '',
  family[1] or '', family[2] or '', living or '', ms
}
