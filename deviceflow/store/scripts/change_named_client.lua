-- Change a client and the entry of its name, if it is still as it was when it was read.
-- KEYS[1] hash of client id -> record; KEYS[2] sorted set of entries, 'NAME ID', in their order
-- ARGV[1] client id; ARGV[2] the record that was read and ARGV[3] the one that it becomes, each
-- empty for none; ARGV[4] and ARGV[5] the names in them, folded, empty for none
-- ARGV[6] '1' to leave everything as it is if another client has the name
-- Returns changed, stale, taken
local id, before, after = ARGV[1], ARGV[4], ARGV[5]

local function is_taken(name)
  -- '!' is the character after the space.
  local entries = redis.call('ZRANGE', KEYS[2], '[' .. name .. ' ', '(' .. name .. '!', 'BYLEX', 'LIMIT', 0, 100)
  for _, entry in ipairs(entries) do
    local other = string.sub(entry, #name + 2)
    if other ~= id then
      if redis.call('HEXISTS', KEYS[1], other) == 1 then return true end
      -- Its record could not be read, so its name was not known when it was removed.
      redis.call('ZREM', KEYS[2], entry)
    end
  end
  return false
end

local record = redis.call('HGET', KEYS[1], id) or ''
if record == ARGV[3] then
  -- The caller's own success, whose answer was lost; or there is nothing to change.
  return 'changed'
end
if record ~= ARGV[2] then
  return 'stale'
end
if ARGV[6] == '1' and is_taken(after) then
  return 'taken'
end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], id)
else
  redis.call('HSET', KEYS[1], id, ARGV[3])
end
if before ~= '' and before ~= after then
  redis.call('ZREM', KEYS[2], before .. ' ' .. id)
end
if after ~= '' then
  redis.call('ZADD', KEYS[2], 0, after .. ' ' .. id)
end
return 'changed'
