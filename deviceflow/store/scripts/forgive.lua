-- Take one try back. A window that has ended in between begins with none.
-- KEYS[1] counter
if tonumber(redis.call('GET', KEYS[1]) or '0') > 0 then
  redis.call('DECR', KEYS[1])
end
