module interop

go 1.21

require (
	github.com/IBM/sarama v1.43.3
	github.com/twmb/franz-go v1.17.1
	github.com/xdg-go/scram v1.1.2
)
