-- Take one try back.
-- KEYS[1] the tries by their time; ARGV[1] id of the try
redis.call('ZREM', KEYS[1], ARGV[1])
