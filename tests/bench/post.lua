-- wrk: POSTs of N entries each (0: a quick call) with a batch_id of its own each. N and KEY are in the environment.
local n = tonumber(os.getenv("N"))
local custom = '"custom_data": {"customer_id": "CUST%06d", "campaign_id": "CAMP001"}'
local entry = '{"phone_number": "98765%05d", ' .. custom .. '}'
local rest, first, sent = nil, nil, 0

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["X-API-KEY"] = os.getenv("KEY")

function init()
	local entries = {}
	for i = 1, math.max(n, 1) do
		entries[i] = string.format(entry, i % 100000, i)
	end
	rest = n == 0 and entries[1] or string.format(', "data": [%s]}', table.concat(entries, ", "))
	first = tonumber(os.getenv("FIRST"))
end

function request()
	sent = sent + 1
	return wrk.format(nil, nil, nil,
		n == 0 and rest or string.format('{"batch_id": %d', first + sent) .. rest)
end
