-- Keeps what an instance says of itself.
-- KEYS: the index of instances, the instance's report.
-- ARGV: the instance's id; the report; for how many milliseconds it counts.
-- Returns the server's time, in seconds and microseconds.

local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local ttl = tonumber(ARGV[3])
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[1], string.format('%.0f', ms + ttl + 1), ARGV[1]) -- never gone before the report
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', ms))
if redis.call('PTTL', KEYS[1]) <= ttl then
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ttl + 1000)) -- the index ends after its last instance
end
return now
