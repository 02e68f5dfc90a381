package e2e

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/azure"
	"github.com/objrepl/replication/backend/gcs"
	"github.com/objrepl/replication/backend/minio"
	"github.com/objrepl/replication/backend/s3"
	"github.com/objrepl/replication/internal/testutil"
)

// A stateStore is a fresh bucket or container that may keep state, for the library
// and for the CLI.
type stateStore struct {
	driver   backend.Driver
	settings backend.Settings
	url      string
	env      []string
}

// stateStores are all servers there are. Each has to honour the conditions on Put that
// keep writers apart; a store that does not is refused.
var stateStores = map[string]func(*testing.T) stateStore{
	"s3 on MinIO":     func(t *testing.T) stateStore { return inS3(t, s3.Driver, testutil.SharedMinIO(t)) },
	"minio on MinIO":  func(t *testing.T) stateStore { return inS3(t, minio.Driver, testutil.SharedMinIO(t)) },
	"s3 on versitygw": func(t *testing.T) stateStore { return inS3(t, s3.Driver, testutil.SharedVersityGW(t)) },
	"gcs on fake-gcs-server": func(t *testing.T) stateStore {
		settings := gcsBucket(t, testutil.SharedFakeGCS(t))
		return stateStore{
			gcs.Driver, settings,
			fmt.Sprintf("gs://%s/in/it?endpoint=%s", settings["bucket"], url.QueryEscape(settings["endpoint"])), nil,
		}
	},
	"azblob on Azurite": func(t *testing.T) stateStore {
		settings, _ := azureContainer(t)
		return stateStore{
			azure.Driver, settings,
			fmt.Sprintf("azblob://%s/in/it?accountName=%s&accountKey=env:STATE_SECRET&endpoint=%s",
				settings["containerName"], settings["accountName"], url.QueryEscape(settings["endpoint"])),
			[]string{"STATE_SECRET=" + settings["accountKey"]},
		}
	},
}

func inS3(t *testing.T, driver backend.Driver, server *testutil.Server) stateStore {
	settings := bucket(server, server.NewBucket(t))
	return stateStore{
		driver, settings,
		fmt.Sprintf("%s://%s/in/it?endpoint=%s&region=%s&accessKey=env:STATE_KEY&secretKey=env:STATE_SECRET",
			driver.Name(), settings["bucket"], url.QueryEscape(server.Endpoint), server.Region),
		[]string{"STATE_KEY=" + server.AccessKey, "STATE_SECRET=" + server.SecretKey},
	}
}
