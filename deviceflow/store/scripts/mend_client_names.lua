-- Mend the entries of clients' names: of those clients that are still as they were when read.
-- KEYS[1] hash of client id -> record; KEYS[2] sorted set of entries, 'NAME ID', in their order
-- ARGV by four: client id, the record that was read or empty for none, the entry to remove or
-- empty, the entry to add or empty
for i = 1, #ARGV, 4 do
  local id, record, wrong, right = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  if (redis.call('HGET', KEYS[1], id) or '') == record then
    if wrong ~= '' then redis.call('ZREM', KEYS[2], wrong) end
    if right ~= '' then redis.call('ZADD', KEYS[2], 0, right) end
  end
end
