import java.io.DataInputStream;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.List;
import org.apache.kafka.common.message.StreamsGroupHeartbeatRequestData;
import org.apache.kafka.common.message.StreamsGroupHeartbeatResponseData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.requests.RequestHeader;
import org.apache.kafka.common.requests.ResponseHeader;
import org.apache.kafka.common.requests.StreamsGroupHeartbeatRequest;

/** Joins a streams group (KIP-1071) with Kafka's own messages, says so, and leaves when its input ends. */
public class StreamsMember {
    public static void main(String[] args) throws Exception {
        String[] address = args[0].split(":");
        try (Socket socket = new Socket(address[0], Integer.parseInt(address[1]))) {
            ask(socket, heartbeat(args[1], 0).setTopology(topology(args[2])).setRebalanceTimeoutMs(60_000)
                .setActiveTasks(List.of()).setStandbyTasks(List.of()).setWarmupTasks(List.of()).setProcessId("p"));
            System.out.println("joined");
            System.in.readAllBytes();
            ask(socket, heartbeat(args[1], -1));
        }
    }

    static StreamsGroupHeartbeatRequestData heartbeat(String group, int epoch) {
        return new StreamsGroupHeartbeatRequestData().setGroupId(group).setMemberId("streams-member").setMemberEpoch(epoch);
    }

    static StreamsGroupHeartbeatRequestData.Topology topology(String topic) {
        return new StreamsGroupHeartbeatRequestData.Topology().setEpoch(0).setSubtopologies(List.of(
            new StreamsGroupHeartbeatRequestData.Subtopology().setSubtopologyId("0").setSourceTopics(List.of(topic))));
    }

    static void ask(Socket socket, StreamsGroupHeartbeatRequestData data) throws Exception {
        short version = ApiKeys.STREAMS_GROUP_HEARTBEAT.latestVersion();
        RequestHeader header = new RequestHeader(ApiKeys.STREAMS_GROUP_HEARTBEAT, version, "streams-member", 1);
        ByteBuffer request = new StreamsGroupHeartbeatRequest.Builder(data).build(version).serializeWithHeader(header);
        ByteBuffer length = ByteBuffer.allocate(4).putInt(0, request.remaining());
        socket.getOutputStream().write(length.array());
        socket.getOutputStream().write(request.array(), request.arrayOffset(), request.remaining());
        DataInputStream in = new DataInputStream(socket.getInputStream());
        ByteBuffer answer = ByteBuffer.wrap(in.readNBytes(in.readInt()));
        ResponseHeader.parse(answer, ApiKeys.STREAMS_GROUP_HEARTBEAT.responseHeaderVersion(version));
        var response = new StreamsGroupHeartbeatResponseData(new ByteBufferAccessor(answer), version);
        if (response.errorCode() != 0) throw new IllegalStateException(response.errorCode() + " " + response.errorMessage());
    }
}
