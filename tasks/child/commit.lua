-- The rows of a chunk and the fact that it is done, together or not at all.
-- KEYS: done, rows, attempts, running, partial, tally     ARGV: chunk id, encoded rows, node, points, failed, seconds
-- Answers: 1 committed, 0 somebody else was first.
redis.call('HDEL', KEYS[4], ARGV[1])
if redis.call('SADD', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('XADD', KEYS[2], '*', 'rows', ARGV[2])
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('DEL', KEYS[5])
redis.call('HINCRBY', KEYS[6], ARGV[3] .. ' chunks', 1)
redis.call('HINCRBY', KEYS[6], ARGV[3] .. ' points', ARGV[4])
redis.call('HINCRBY', KEYS[6], ARGV[3] .. ' failed', ARGV[5])
redis.call('HINCRBYFLOAT', KEYS[6], ARGV[3] .. ' seconds', ARGV[6])
return 1
