-- One event in the life of a grant, by the two tables of core/grant.py.
-- KEYS[1] grant, KEYS[2] token family, KEYS[3] what a repetition needs, KEYS[4] whose access
-- token lives (these three for redeem only)
-- ARGV[1] event, ARGV[2] request id, ARGV[3] account or '', ARGV[4] approval (JSON) or ''
-- For approve and deny: ARGV[5] the scope that is granted, or '' for all that was requested,
-- ARGV[6] 'claim' to claim the grant first, if no account has, or '',
-- ARGV[7] the language of the page, or ''
-- For redeem only: ARGV[5] when the family ends (ms), ARGV[6] what a repetition needs or '',
-- ARGV[7] how long that is kept (ms), ARGV[8] when the access token ends (ms), 0 if a
-- family outlives it,
-- ARGV[9..] the family's fields and values, if there is one
-- Returns {outcome, state}
local transitions = {{TRANSITIONS}}
local claim_rules = {{CLAIM_RULES}}
local event, request, account, approval = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local decides = event == 'approve' or event == 'deny'
local scope, claims_first = decides and ARGV[5] or '', decides and ARGV[6] == 'claim'
local language = decides and ARGV[7] or ''

local grant = redis.call('HMGET', KEYS[1], 'state', 'expires', 'account', event)
local state, expires, claimed = grant[1], grant[2], grant[3] or ''
if not state then
  return { 'missing', '' }
end
-- The caller repeats a command whose answer was lost: this is its own success.
if grant[4] == request then
  -- Written again, so that a WAIT after this one waits for it: WAIT knows only the writes of
  -- its own connection, and the first try may have gone over another.
  redis.call('HSET', KEYS[1], event, request)
  return { 'changed', state }
end
local time = redis.call('TIME')
if tonumber(time[1]) >= tonumber(expires) then
  return { 'expired', state }
end
local after = transitions[state .. ':' .. event]
if not after then
  return { 'refused', state }
end
local claimed_by = claimed == '' and 'nobody' or claimed == account and 'self' or 'another'
local claims = claims_first and transitions[state .. ':claim']
  and claim_rules['claim:' .. claimed_by]
if claims then
  claimed_by = 'self'
end
if not claim_rules[event .. ':' .. claimed_by] then
  return { 'claimed', state }
end

redis.call('HSET', KEYS[1], 'state', after, event, request)
if event == 'claim' or claims then
  redis.call('HSET', KEYS[1], 'account', account)
elseif event == 'release' then
  redis.call('HDEL', KEYS[1], 'account')
end
if approval ~= '' then
  redis.call('HSET', KEYS[1], 'approval', approval)
  if state == 'pending' then
    -- In ms. An approval that is sent again is no new one.
    redis.call('HSET', KEYS[1], 'approved', string.format('%d', time[1] * 1000 + time[2] / 1000))
    if scope ~= '' then
      redis.call('HSET', KEYS[1], 'scope', scope)
    end
    if language ~= '' then
      redis.call('HSET', KEYS[1], 'language', language)
    end
  end
end
if event == 'redeem' then
  if ARGV[9] then
    redis.call('HSET', KEYS[2], unpack(ARGV, 9))
    redis.call('PEXPIREAT', KEYS[2], ARGV[5])
  end
  if ARGV[6] and ARGV[6] ~= '' then
    redis.call('SET', KEYS[3], ARGV[6], 'PX', ARGV[7])
  end
  if ARGV[8] and ARGV[8] ~= '0' then
    redis.call('SET', KEYS[4], claimed, 'PXAT', ARGV[8])
  end
end
return { 'changed', after }
