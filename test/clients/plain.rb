# An agent's Ruby program on net/http: prints the body and the status of one refund.
require 'net/http'

base, key, amount = ARGV
at = URI("#{base}/v1/refunds")
ask = Net::HTTP::Post.new(at, 'authorization' => "Bearer #{key}")
ask.set_form_data('charge' => 'ch_A', 'amount' => amount)
reply = Net::HTTP.start(at.hostname, at.port) { |http| http.request(ask) }
print reply.body, "\n", reply.code
