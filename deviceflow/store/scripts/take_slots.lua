-- Take slot numbers, and say how many grants and wrong codes there were lately.
-- KEYS[1] counter of slot numbers; KEYS[2] sorted set of minutes, each with the number before its
-- first grant, 'MINUTE NUMBER'; KEYS[3] hash of wrong codes by minute; KEYS[4] hash of grants by the
-- minute of their end
-- ARGV[1] how many numbers, 0 to take none; ARGV[2] the minute; ARGV[3] first minute of a lifetime
-- ARGV[4] first minute of the window for wrong codes; ARGV[5] minutes that are kept
-- ARGV[6] the minute in which the grants end
-- Returns {last number, grants since ARGV[3], wrong codes since ARGV[4]}

-- The counter of numbers counts the grants, too: those since a minute are the numbers since it
-- began. So this costs the same for a lifetime of a minute and for one of a day.

local numbers, minute, kept = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[5])

-- Hosts may disagree about the minute, and a clock may step back.
local AHEAD = 5

local function forget_old()
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', minute - kept - 1)
  for _, each in ipairs(redis.call('HKEYS', KEYS[3])) do
    if tonumber(each) < minute - kept then redis.call('HDEL', KEYS[3], each) end
  end
  redis.call('EXPIRE', KEYS[2], (kept + AHEAD) * 60)
end

local function number_in(entry)
  return tonumber(string.match(entry, ' (%d+)$'))
end

local function begin_minute(last)
  local newest = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
  if newest[1] and number_in(newest[1]) > last then
    -- The counter was lost, and begins again.
    redis.call('DEL', KEYS[2])
    newest = {}
  end
  -- A host whose clock is behind counts in the newest minute: its grants then count for too long,
  -- and never too short a time.
  if newest[2] == nil or tonumber(newest[2]) < minute then
    redis.call('ZADD', KEYS[2], minute, string.format('%d %.0f', minute, last))
    forget_old()
  end
end

local function grants_until(last)
  local first = redis.call('ZRANGE', KEYS[2], ARGV[3], '+inf', 'BYSCORE', 'LIMIT', 0, 1)[1]
  return first and last - number_in(first) or 0
end

local function wrong_codes()
  local minutes, total = {}, 0
  for each = tonumber(ARGV[4]), minute + AHEAD do
    minutes[#minutes + 1] = string.format('%d', each)
  end
  for _, count in ipairs(redis.call('HMGET', KEYS[3], unpack(minutes))) do
    total = total + (tonumber(count) or 0)
  end
  return total
end

local last = tonumber(redis.call('GET', KEYS[1]) or 0)
if numbers > 0 then
  begin_minute(last)
  last = redis.call('INCRBY', KEYS[1], numbers)
  if redis.call('HINCRBY', KEYS[4], ARGV[6], numbers) == numbers then
    for _, each in ipairs(redis.call('HKEYS', KEYS[4])) do
      if tonumber(each) < minute - AHEAD then redis.call('HDEL', KEYS[4], each) end
    end
    redis.call('EXPIRE', KEYS[4], (kept + AHEAD) * 60)
  end
end
return { last, grants_until(last), wrong_codes() }
