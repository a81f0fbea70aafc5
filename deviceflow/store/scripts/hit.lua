-- Count a try in a sliding window, unless too many are in it: a refused try is not counted.
-- KEYS[1] the tries by their time (ms)
-- ARGV[1] id of the try, ARGV[2] window (ms), ARGV[3] limit, ARGV[4] longest delay (ms) or 0
-- Returns the ms to wait, 0 if the try is counted
local window, limit, longest = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
-- The caller repeats a command whose answer was lost.
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  return 0
end
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local tries = redis.call('ZCARD', KEYS[1])
if tries >= limit then
  local wait
  if longest == 0 then
    -- Until fewer than `limit` are left: the newest `limit - 1` may stay.
    local leaving = redis.call('ZRANGE', KEYS[1], tries - limit, tries - limit, 'WITHSCORES')
    wait = tonumber(leaving[2]) + window - now
  else
    local newest = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
    local delay = math.min(longest, 1000 * 2 ^ math.min(tries - limit, 30))
    wait = tonumber(newest[2]) + delay - now
  end
  if wait > 0 then
    -- Not more than that after the clock was set back.
    return math.min(wait, window)
  end
end
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('PEXPIRE', KEYS[1], window)
return 0
