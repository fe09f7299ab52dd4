-- Posts of about 300 B over keep-alive connections; BENCH_IDS=1: every request names an id of its own.
-- Prints one JSON line at the end.

local named = os.getenv("BENCH_IDS") == "1"
local run = os.getenv("BENCH_RUN")
local threads = 0
local number = 0
local headers = { ["Content-Type"] = "application/json" }
local text = "Order %d has been paid, thank you. 您的订单已经付款,感谢您的购买,我们会尽快为您发货。"
local rest = '"voice":"vip","metadata":{"tenant":"acme","channel":"ivr"}}'

function setup(thread)
   thread:set("thread_number", threads)
   threads = threads + 1
end

function request()
   number = number + 1
   local spoken = string.format(text, number)
   local body
   if named then
      body = string.format('{"source":"shop","id":"%s-%d-%d","text":"%s",%s', run, thread_number, number, spoken, rest)
   else
      body = string.format('{"source":"shop","text":"%s",%s', spoken, rest)
   end
   return wrk.format("POST", "/webhook/tts", headers, body)
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '{"requests":%d,"seconds":%f,"p50":%f,"p99":%f,"bad":%d}\n',
      summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
      errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
