# Make ./seqline a clone of a commit, branch or tag, with the bucket as its DVC remote. One that is there already changes over to it;
# what its pipeline has cached stays, and is used again. Not the working directory itself: a volume's root is not its user's, and Git
# then refuses.
set -eu
mkdir -p seqline
cd seqline
git init --quiet
git fetch --quiet --depth 1 "$REPOSITORY" "$1"
git checkout --quiet --force FETCH_HEAD
dvc remote add --quiet --local --force --default cluster "s3://$S3_BUCKET/dvc"
