-- The SHA-1 of one part of a blob as the broker holds it, so that whoever has the same bytes need not send or fetch them.
-- KEYS: blob     ARGV: number of the part
-- Answers: 40 hexadecimal digits, '' where there is no such part.
local part = redis.call('HGET', KEYS[1], ARGV[1])
return part and redis.sha1hex(part) or ''
