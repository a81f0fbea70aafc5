-- Judge starts of grants of one client. Count those that no limit refuses; a refused start changes
-- nothing.
-- KEYS[1] hash, what the client has started: `full` (us, see below), `live`, `swept` (the minute up
-- to which ended grants were taken off `live`), and the grants by the minute of their end
-- KEYS[2...] the buckets of networks and addresses that the starts come from
-- ARGV[1] now (us), ARGV[2] what a bucket refills in (us), ARGV[3] now (minute), ARGV[4] minute in
-- which these grants end, ARGV[5] how long KEYS[1] is kept (s)
-- ARGV[6...9] limits: starts of the client, of a network, of an address; live grants; 0 for none
-- ARGV[10...] of each start: the places of its network and its address in KEYS, 0 for no network
-- Returns for each start: which limit refuses it (1 to 4 as above, 0 for none), the us to wait

-- A bucket of `limit` starts refills evenly. It is stored as the time at which it would be full
-- again, and not at all while it is full. So an address that starts one grant now and then leaves
-- nothing behind, and a bucket costs the same for a limit of ten and of a million.

local now, window, minute, ends = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local limit_of_live = tonumber(ARGV[9])

local function wait_for(full, limit)
  return full + window / limit - (now + window)
end

-- Between now and a window from now, also after a clock was set back.
local function within(full)
  return math.min(math.max(tonumber(full) or 0, now), now + window)
end

local full, live, swept = unpack(redis.call('HMGET', KEYS[1], 'full', 'live', 'swept'))
full, live, swept = within(full), tonumber(live) or 0, tonumber(swept) or minute
local ended = {}
if swept < minute then
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    local each = tonumber(field)
    if each and each < minute then
      live = live - tonumber(redis.call('HGET', KEYS[1], field))
      ended[#ended + 1] = field
    end
  end
end

local fulls = {}
for place = 2, #KEYS do
  fulls[place] = within(redis.call('GET', KEYS[place]))
end

-- The most general limit first: the first refusal ends it.
local function refusal(network, address)
  local layers = {
    { tonumber(ARGV[6]), full }, { tonumber(ARGV[7]), fulls[network] },
    { tonumber(ARGV[8]), fulls[address] },
  }
  for number = 1, 3 do
    local limit, level = layers[number][1], layers[number][2]
    if limit > 0 and level then
      local wait = wait_for(level, limit)
      if wait > 0 then return number, wait end
    end
  end
  if limit_of_live > 0 and live >= limit_of_live then
    return 4, (minute + 1) * 60000000 - now
  end
  return 0, 0
end

local function pour(place, argument)
  local limit = tonumber(ARGV[argument])
  if limit > 0 and fulls[place] then fulls[place] = fulls[place] + window / limit end
end

local answers, admitted = {}, 0
for argument = 10, #ARGV, 2 do
  local network, address = tonumber(ARGV[argument]), tonumber(ARGV[argument + 1])
  local number, wait = refusal(network, address)
  if number == 0 then
    admitted, live = admitted + 1, live + 1
    if tonumber(ARGV[6]) > 0 then full = full + window / tonumber(ARGV[6]) end
    pour(network, 7)
    pour(address, 8)
  end
  answers[#answers + 1] = number
  answers[#answers + 1] = math.ceil(wait)
end

if admitted > 0 then
  for _, field in ipairs(ended) do redis.call('HDEL', KEYS[1], field) end
  redis.call('HSET', KEYS[1], 'full', string.format('%.0f', full), 'live', live, 'swept', minute)
  redis.call('HINCRBY', KEYS[1], ends, admitted)
  redis.call('EXPIRE', KEYS[1], ARGV[5])
  for place, level in pairs(fulls) do
    if level > now then
      redis.call('SET', KEYS[place], string.format('%.0f', level), 'PX', math.ceil((level - now) / 1000))
    end
  end
end
return answers
