-- May this chunk be begun? One answer in one step, so that a chunk that was handed out twice is seen.
-- KEYS: done, sent, attempts, running, cancelled, generation
-- ARGV: chunk id, who, the chunk's generation, definition, distrusted, the node
-- Answers: -1 done already, -2 cancelled or left by an earlier orchestrator, -3 for another node to run, else the number of this attempt (1 = first);
-- and the address of the sweep's definition, '' where there is none. Its key and that of the distrusted nodes are no
-- KEYS: a node may only read them, and Redis wants a right to write for every KEY of a script.
if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 1 then
  redis.call('HDEL', KEYS[4], ARGV[1])
  return {-1, ''}
end
local generation = tonumber(redis.call('GET', KEYS[6]) or '0')
if redis.call('EXISTS', KEYS[5]) == 1 or tonumber(ARGV[3]) < generation then
  redis.call('SREM', KEYS[2], ARGV[1])
  redis.call('HDEL', KEYS[4], ARGV[1])
  return {-2, ''}
end
if redis.call('SISMEMBER', ARGV[5], ARGV[6]) == 1 then
  return {-3, ''}
end
redis.call('HSET', KEYS[4], ARGV[1], ARGV[2])
return {redis.call('HINCRBY', KEYS[3], ARGV[1], 1), redis.call('GET', ARGV[4]) or ''}
