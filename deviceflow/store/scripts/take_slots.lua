-- Take slot numbers, and say how many grants and wrong codes there were lately.
-- KEYS[1] counter of slot numbers; KEYS[2] grants by minute; KEYS[3] wrong codes by minute
-- KEYS[4] grants by the minute of their end
-- ARGV[1] how many numbers, 0 to take none; ARGV[2] the minute; ARGV[3] first minute of a lifetime
-- ARGV[4] first minute of the window for wrong codes; ARGV[5] minutes that are kept
-- ARGV[6] the minute in which the grants end
-- Returns {last number, grants since ARGV[3], wrong codes since ARGV[4]}

local numbers, minute, kept = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[5])

-- Hosts may disagree about the minute, and a clock may step back.
local AHEAD = 5

local function minutes_since(first)
  local minutes = {}
  for each = tonumber(first), minute + AHEAD do
    minutes[#minutes + 1] = string.format('%d', each)
  end
  return unpack(minutes)
end

local function sum(counts)
  local total = 0
  for _, count in ipairs(counts) do
    total = total + (tonumber(count) or 0)
  end
  return total
end

local function is_old(each)
  return tonumber(each) < minute - kept
end

local last = 0
if numbers > 0 then
  last = redis.call('INCRBY', KEYS[1], numbers)
  if redis.call('HINCRBY', KEYS[4], ARGV[6], numbers) == numbers then
    for _, each in ipairs(redis.call('HKEYS', KEYS[4])) do
      if tonumber(each) < minute - AHEAD then redis.call('HDEL', KEYS[4], each) end
    end
    redis.call('EXPIRE', KEYS[4], (kept + AHEAD) * 60)
  end
  if redis.call('HINCRBY', KEYS[2], ARGV[2], numbers) == numbers then
    -- The first grants of a minute. Once a minute is often enough to forget.
    for _, each in ipairs(redis.call('HKEYS', KEYS[2])) do
      if is_old(each) then redis.call('HDEL', KEYS[2], each) end
    end
    for _, each in ipairs(redis.call('HKEYS', KEYS[3])) do
      if is_old(each) then redis.call('HDEL', KEYS[3], each) end
    end
    redis.call('EXPIRE', KEYS[2], (kept + AHEAD) * 60)
  end
end
return {
  last,
  sum(redis.call('HMGET', KEYS[2], minutes_since(ARGV[3]))),
  sum(redis.call('HMGET', KEYS[3], minutes_since(ARGV[4]))),
}
