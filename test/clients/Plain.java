import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

/** An agent's Java program on java.net.http: prints the body and the status of one refund. */
class Plain {
    public static void main(String[] args) throws Exception {
        var ask = HttpRequest.newBuilder(URI.create(args[0] + "/v1/refunds"))
            .header("Authorization", "Bearer " + args[1])
            .header("Content-Type", "application/x-www-form-urlencoded")
            .POST(HttpRequest.BodyPublishers.ofString("charge=ch_A&amount=" + args[2]))
            .build();
        // Left alone it asks a plain http server to change to HTTP/2, which spendgate refuses.
        var client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        var reply = client.send(ask, HttpResponse.BodyHandlers.ofString());
        System.out.print(reply.body() + "\n" + reply.statusCode());
    }
}
