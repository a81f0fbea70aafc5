-- wrk: one request after another, each with the next device code of a file.
-- Arguments after "--": the file with all bytes before the code, the file of codes ("-" if all
-- requests are the same), the number of the first code, the length of a code, the number of
-- threads, and "sample" to count the kinds of answers (which costs wrk time, so measured runs do
-- not).
local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

function init(args)
  before = read(args[1])
  codes = args[2] ~= "-" and read(args[2]) or ""
  length = tonumber(args[4])
  count = #codes / length
  -- Threads begin as far from one another as can be.
  local apart = math.floor(count / tonumber(args[5]))
  at = count > 0 and (tonumber(args[3]) + number * apart) % count or 0
  pending, slow_down, other = 0, 0, 0
  if args[6] == "sample" then
    function response(_, _, body)
      if body:find("authorization_pending", 1, true) then
        pending = pending + 1
      elseif body:find("slow_down", 1, true) then
        slow_down = slow_down + 1
      else
        other = other + 1
      end
    end
  end
end

function request()
  if count == 0 then
    return before
  end
  local code = codes:sub(at * length + 1, (at + 1) * length)
  at = (at + 1) % count
  return before .. code
end

function done(summary, latency)
  local seen = { pending = 0, slow_down = 0, other = 0 }
  for _, thread in ipairs(threads) do
    for name, sum in pairs(seen) do
      seen[name] = sum + thread:get(name)
    end
  end
  local errors = summary.errors
  print(string.format(
    '\n{"requests": %d, "seconds": %.6f, "failed": %d, "refused": %d, "p50_us": %d, ' ..
    '"p99_us": %d, "pending": %d, "slow_down": %d, "other": %d}',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.timeout, errors.status,
    latency:percentile(50), latency:percentile(99), seen.pending, seen.slow_down, seen.other))
end
