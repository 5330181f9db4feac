module gotour

go 1.27
