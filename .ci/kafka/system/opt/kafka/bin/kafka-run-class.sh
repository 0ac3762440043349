#!/usr/bin/env bash
# Runs a class of the Kafka jars. Called by the name of one of Kafka's tools (a link to this file), it runs that tool.
set -euo pipefail

tools=org.apache.kafka.tools
case ${0##*/} in
  kafka-run-class.sh) main=$1 && shift ;;
  kafka-acls.sh) main=$tools.AclCommand ;;
  kafka-broker-api-versions.sh) main=$tools.BrokerApiVersionsCommand ;;
  kafka-cluster.sh) main=$tools.ClusterTool ;;
  kafka-configs.sh) main=kafka.admin.ConfigCommand ;;
  kafka-console-consumer.sh) main=$tools.consumer.ConsoleConsumer ;;
  kafka-console-producer.sh) main=$tools.ConsoleProducer ;;
  kafka-consumer-groups.sh) main=$tools.consumer.group.ConsumerGroupCommand ;;
  kafka-delete-records.sh) main=$tools.DeleteRecordsCommand ;;
  kafka-dump-log.sh) main=kafka.tools.DumpLogSegments ;;
  kafka-features.sh) main=$tools.FeatureCommand ;;
  kafka-get-offsets.sh) main=$tools.GetOffsetShell ;;
  kafka-groups.sh) main=$tools.GroupsCommand ;;
  kafka-leader-election.sh) main=$tools.LeaderElectionCommand ;;
  kafka-log-dirs.sh) main=$tools.LogDirsCommand ;;
  kafka-metadata-quorum.sh) main=$tools.MetadataQuorumCommand ;;
  kafka-producer-perf-test.sh) main=$tools.ProducerPerformance ;;
  kafka-reassign-partitions.sh) main=$tools.reassign.ReassignPartitionsCommand ;;
  kafka-server-start.sh) main=kafka.Kafka ;;
  kafka-storage.sh) main=kafka.tools.StorageTool ;;
  kafka-topics.sh) main=$tools.TopicCommand ;;
  kafka-transactions.sh) main=$tools.TransactionsCommand ;;
  *) echo "${0##*/}: not a tool of this image" >&2 && exit 64 ;;
esac

# The variables hold several words each, as they do for the official scripts.
# shellcheck disable=SC2086
exec java ${KAFKA_HEAP_OPTS:--Xmx512m} ${KAFKA_JVM_PERFORMANCE_OPTS:--XX:+UseSerialGC} \
  ${KAFKA_LOG4J_OPTS:--Dlog4j2.configurationFile=/etc/kafka/docker/tools-log4j2.yaml} \
  ${KAFKA_OPTS:-} -cp '/opt/kafka/libs/*' "$main" "$@"
