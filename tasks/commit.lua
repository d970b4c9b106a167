-- The rows of a chunk and the fact that it is done, together or not at all.
-- KEYS: done, rows, attempts, running, partial     ARGV: chunk id, encoded rows
-- Answers: 1 committed, 0 somebody else was first.
redis.call('HDEL', KEYS[4], ARGV[1])
if redis.call('SADD', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('XADD', KEYS[2], '*', 'rows', ARGV[2])
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('DEL', KEYS[5])
return 1
