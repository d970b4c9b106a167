-- May this chunk be begun? One answer in one step, so that a chunk that was handed out twice is seen.
-- KEYS: done, sent, attempts, running, cancelled     ARGV: chunk id, who, now
-- Answers: -1 done already, -2 cancelled, else the number of this attempt (1 = first).
if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 1 then
  return -1
end
if redis.call('EXISTS', KEYS[5]) == 1 then
  redis.call('SREM', KEYS[2], ARGV[1])
  return -2
end
redis.call('HSET', KEYS[4], ARGV[1], ARGV[2])
return redis.call('HINCRBY', KEYS[3], ARGV[1], 1)
